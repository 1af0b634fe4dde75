/**
 * The first name that an object of a JSON text holds twice, which `JSON.parse` would hide. Throws SyntaxError for nesting deeper than
 * `deepest` and for an open string; all other errors are left to `JSON.parse`.
 */
export function findDuplicate(text: string, { deepest }: { deepest: number }): string | undefined {
  const open: Set<string>[] = []
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '{' || character === '[') {
      if (open.length === deepest) throw new SyntaxError(`it nests deeper than ${deepest} levels`)
      open.push(new Set())
    } else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const end = closingQuote(text, i)
      colon.lastIndex = end + 1
      if (colon.test(text)) {
        const name = JSON.parse(text.slice(i, end + 1)) as string
        const names = open.at(-1)
        if (names?.has(name)) return name
        names?.add(name)
      }
      i = end
    }
  }
  return undefined
}

const colon = /\s*:/y

function closingQuote(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '"') return i
  }
  throw new SyntaxError('a string without end')
}
