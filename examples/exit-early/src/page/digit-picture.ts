import { pixelsPerDigit, side, type Digits } from '../digits.js'

/** One digit, dark on light, as a bitmap inside a URI: what an `img` shows without a file. */
export function digitPicture({ pixels }: Digits, row: number): string {
  const [head, palette] = [54, 256 * 4]
  const file = Buffer.alloc(head + palette + pixelsPerDigit) // a line of 28 bytes needs no padding to 4
  file.write('BM')
  file.writeUInt32LE(file.length, 2)
  file.writeUInt32LE(head + palette, 10)
  file.writeUInt32LE(40, 14) // size of the information header
  file.writeInt32LE(side, 18)
  file.writeInt32LE(-side, 22) // negative: from the top down
  file.writeUInt16LE(1, 26)
  file.writeUInt16LE(8, 28) // bits per pixel
  for (let grey = 0; grey < 256; grey++) file.fill(255 - grey, head + 4 * grey, head + 4 * grey + 3)
  for (let i = 0; i < pixelsPerDigit; i++)
    file[head + palette + i] = Math.round(255 * pixels[row * pixelsPerDigit + i]!)
  return `data:image/bmp;base64,${file.toString('base64')}`
}
