// HTML that can't be broken out of: whatever is put into a template is escaped, unless it is HTML from here already.

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Part = string | number | Html | undefined | readonly Part[];

/** `html\`<p>${anything}</p>\``: only for text and for attribute values in double quotes. */
export function html(texts: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(texts.map((text, i) => text + (i < parts.length ? render(parts[i]) : '')).join(''));
}

function render(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(render).join('');
  // Control characters have no place in HTML either.
  return String(part)
    .replace(/[&<>"']/g, (c) => ESCAPES[c]!)
    .replace(/[^\P{Cc}\t\n\r]/gu, '\ufffd');
}
