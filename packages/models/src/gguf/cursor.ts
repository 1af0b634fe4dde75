import { refuseGguf, type ByteSource } from './file.js'

const windowBytes = 2 ** 18

/** Reads little-endian values one after the other, through a window, and never past the end. Throws ERR_BIO_FORMAT. */
export class Cursor {
  /** The byte that is read next. */
  position = 0
  readonly #source: ByteSource
  #window = new Uint8Array(0)
  #start = 0

  constructor(source: ByteSource) {
    this.#source = source
  }

  get left(): number {
    return this.#source.size - this.position
  }

  u8 = (): number => this.take('a byte', 1).getUint8(0)
  i8 = (): number => this.take('a byte', 1).getInt8(0)
  u16 = (): number => this.take('2 bytes', 2).getUint16(0, true)
  i16 = (): number => this.take('2 bytes', 2).getInt16(0, true)
  u32 = (): number => this.take('4 bytes', 4).getUint32(0, true)
  i32 = (): number => this.take('4 bytes', 4).getInt32(0, true)
  f32 = (): number => this.take('4 bytes', 4).getFloat32(0, true)
  f64 = (): number => this.take('8 bytes', 8).getFloat64(0, true)
  u64 = (): number => this.#whole(this.take('8 bytes', 8).getBigUint64(0, true))
  i64 = (): number => this.#whole(this.take('8 bytes', 8).getBigInt64(0, true))

  bool = (): boolean => {
    const value = this.u8()
    if (value > 1) refuseGguf(this.#source.path, 'a truth value of 0 or 1', `${value}`)
    return value === 1
  }

  string = (): string => {
    const view = this.take('a string', this.count('a string', 1))
    return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  }

  /** A number of things that take at least so many bytes each: no more than the file has room for. */
  count(what: string, bytesEach: number): number {
    const count = this.u64()
    if (count * bytesEach <= this.left) return count
    return refuseGguf(
      this.#source.path,
      `${what} within the ${this.left} bytes that are left`,
      `a length of ${count}`,
    )
  }

  /** The next bytes; valid until the next call. */
  take(what: string, length: number): DataView {
    if (length > this.left)
      refuseGguf(this.#source.path, `${what} at byte ${this.position}`, 'the end of the file')
    const offset = this.position - this.#start
    if (offset < 0 || offset + length > this.#window.length) {
      this.#start = this.position
      this.#window = new Uint8Array(Math.min(Math.max(windowBytes, length), this.left))
      this.#source.read(this.#window, this.position)
    }
    const view = new DataView(this.#window.buffer, this.position - this.#start, length)
    this.position += length
    return view
  }

  #whole(value: bigint): number {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER))
      return Number(value)
    return refuseGguf(this.#source.path, 'a whole number below 2⁵³', `${value}`)
  }
}
