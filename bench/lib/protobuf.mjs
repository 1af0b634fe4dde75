// As much of the protobuf wire format as an ONNX file needs. A field is its number, its wire type, its value.

const varint = 0
const lengthDelimited = 2

/** A message: the fields of its parts, one after the other. */
export function message(...parts) {
  return Buffer.concat(parts.flat())
}

export function integer(field, value) {
  return Buffer.concat([variableLength(field * 8 + varint), variableLength(value)])
}

/** Bytes, a string, or another message. */
export function bytes(field, value) {
  const content = Buffer.from(value)
  return Buffer.concat([variableLength(field * 8 + lengthDelimited), variableLength(content.length), content])
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
function variableLength(value) {
  const encoded = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) encoded.push((rest % 128) + 128)
  return Buffer.from([...encoded, rest])
}
