// subgroupProbe.ts: twin of shaders/probe/subgroup_probe.wgsl: what each invocation of a workgroup sees of its team.

/** Where the invocations of a workgroup are: place = subgroup * size + number within the subgroup. */
export interface Dealing {
  readonly size: number;
  readonly places: readonly number[];
}

/** [invocation][team, number within it, subgroup size, exchanges and broadcasts that another value came from]. */
export function subgroupProbe({ size, places }: Dealing, lanes: number): number[][] {
  const holders = new Map(places.map((place, index) => [place, index]));
  const teamOf = (place: number) =>
    Math.floor(place / size) * Math.floor(size / lanes) + Math.floor((place % size) / lanes);
  const laneOf = (place: number) => (place % size) % lanes;
  const numberOf = (place: number) => teamOf(place) * lanes + laneOf(place);
  return places.map((place) => {
    const [subgroup, own] = [Math.floor(place / size), place % size];
    const hears = (from: number, lane: number) => {
      const other = subgroup * size + from;
      const there = from < size && holders.has(other);
      return there && numberOf(other) === teamOf(place) * lanes + lane;
    };
    let wrong = 0;
    for (let mask = 1; mask < lanes; mask *= 2) {
      if (!hears(own ^ mask, laneOf(place) ^ mask)) wrong++;
    }
    const quad = (n: number) => n - (n % 4);
    const sources = lanes >= 4 ? [0, 1, 2, 3] : [];
    for (const source of sources) {
      if (!hears(quad(own) + source, quad(laneOf(place)) + source)) wrong++;
    }
    return [teamOf(place), laneOf(place), size, wrong];
  });
}
