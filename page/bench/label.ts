// label.ts: the user's own name for this machine, remembered by the browser: adapters are masked on purpose.

const KEY = 'gqa-bench-label';

/** Fills the field with the name remembered, and remembers what is typed. */
export function rememberLabel(input: HTMLInputElement): void {
  try {
    input.value = localStorage.getItem(KEY) ?? '';
  } catch {
    // Storage is switched off: the name lives as long as the page.
    return;
  }
  input.addEventListener('input', () => localStorage.setItem(KEY, input.value.trim()));
}
