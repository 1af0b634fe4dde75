import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { onAbort } from './on-abort.js'

test('any number of callbacks share one listener, each is called once, and the last to leave takes it away', () => {
  const controller = new AbortController()
  const { signal } = controller
  const callbacks = Array.from({ length: 50 }, () => vi.fn())
  const stops = callbacks.map((callback) => onAbort(signal, callback))
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  stops[0]!()
  stops[0]!()
  controller.abort()
  expect(callbacks.map(({ mock }) => mock.calls.length)).toEqual([0, ...Array(49).fill(1)])
  for (const stop of stops) stop()
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('a callback that takes back another while the signal aborts is obeyed', () => {
  const controller = new AbortController()
  const second = vi.fn()
  onAbort(controller.signal, () => stopSecond())
  const stopSecond = onAbort(controller.signal, second)
  controller.abort()
  expect(second).not.toHaveBeenCalled()
})

test('a signal can be listened to again after everybody left', () => {
  const controller = new AbortController()
  const callback = vi.fn()
  onAbort(controller.signal, callback)()
  onAbort(controller.signal, callback)
  controller.abort()
  expect(callback).toHaveBeenCalledTimes(1)
})
