import { expect, test } from 'vitest'
import { BioError, isBioError } from './index.js'

const options = { operation: 'matmul', expected: 'b of 12 values', received: '11 values' }

test('the message says operation, expected, received and hint', () => {
  const error = new BioError('ERR_BIO_SHAPE', { ...options, hint: 'Pass b as [k, n].' })
  expect(error.message).toBe('matmul: expected b of 12 values, received 11 values. Pass b as [k, n].')
  expect(error).toMatchObject({ code: 'ERR_BIO_SHAPE', ...options, hint: 'Pass b as [k, n].' })
})

test('an error of another installed copy is recognised by its brand', () => {
  const foreign = Object.assign(new Error('x'), {
    code: 'ERR_BIO_SHAPE',
    [Symbol.for('@bio/errors/BioError')]: true,
  })
  expect(isBioError(foreign)).toBe(true)
  expect(isBioError(foreign, 'ERR_BIO_SHAPE')).toBe(true)
  expect(isBioError(foreign, 'ERR_BIO_DTYPE')).toBe(false)
})

test.each([undefined, null, 1, new Error('x'), { code: 'ERR_BIO_SHAPE' }])('%s is no BioError', (value) => {
  expect(isBioError(value)).toBe(false)
})

test('the cause survives', () => {
  const cause = new Error('inner')
  expect(new BioError('ERR_BIO_IO', { ...options, cause }).cause).toBe(cause)
})
