// text.ts: text in HTML, and HTML as text.

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character]!);
}

/** The text of HTML that was made from Markdown, in one line. */
export function plainText(html: string): string {
  const text = html.replaceAll(/<[^>]*>/g, '');
  const unescaped = text.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, (escape) => CHARACTERS.get(escape)!);
  return unescaped.replaceAll(/\s+/g, ' ').trim();
}

const CHARACTERS = new Map(Object.entries(ESCAPES).map(([character, escape]) => [escape, character]));
