// format.ts: numbers and tables as text. No DOM, no Node: the command line and the page share it.

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** A Markdown table, padded so that it also reads well in a terminal. Each row has one cell per column. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((c, i) => Math.max(3, c.title.length, ...rows.map((r) => (r[i] ?? '').length)));
  const pad = (text: string, i: number) =>
    columns[i]!.align === 'right' ? text.padStart(widths[i]!) : text.padEnd(widths[i]!);
  const line = (cells: readonly string[]) =>
    `| ${columns.map((_, i) => pad(cells[i] ?? '', i)).join(' | ')} |`;
  const rule = columns.map((c, i) =>
    c.align === 'right' ? `${'-'.repeat(widths[i]! - 1)}:` : '-'.repeat(widths[i]!),
  );
  return [line(columns.map((c) => c.title)), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes in binary units with at most three decimals: 134217728 -> "128 MiB", 1610612736 -> "1.5 GiB". */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < BINARY.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(3))} ${BINARY[unit]}`;
}

/** A number with a fixed count of significant digits, never in exponent form: (0.012345, 3) -> "0.0123", (331.2, 3) -> "331". */
export function formatSignificant(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return '0';
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(decimals, 12));
}

/** A number in two significant digits, or exactly where it is whole and not long: 65504, 3.4e38, 0.17, 1.2e-7. */
export function formatMagnitude(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  if (Math.abs(value) >= 0.01 && Math.abs(value) < 1e6) return formatSignificant(value, 2);
  return value.toExponential(1).replace('e+', 'e');
}

/** A count and its noun, in the plural unless it is one: `1 row`, `0 rows`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
