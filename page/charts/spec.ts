// spec.ts: what a chart is made of, as data.

/** A measured or computed value at a place, with the ends of its interval where it has one. */
export interface Point {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** Points of one name. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** `measured`: dots joined by a line; `ideal`: a dashed line; `limit`: a level line at the first point's y. */
  readonly kind: 'measured' | 'ideal' | 'limit';
  /** Of an ideal: the name of the measured series whose ideal it is; both have one colour. */
  readonly of?: string;
}

export interface Axis {
  readonly label: string;
  /** A log2 axis takes values above 0 only. */
  readonly scale: 'linear' | 'log2';
  /** How a value of it is written. */
  readonly format: (value: number) => string;
  /** A linear axis begins at 0, unless this is false: then near its smallest value. */
  readonly fromZero?: boolean;
}

export interface ChartSpec {
  readonly title: string;
  /** One sentence: what to see. */
  readonly caption: string;
  /** Name of a saved file, without its ending. */
  readonly fileName: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}
