import { expect, test } from 'vitest'
import { ScopeTable } from './scope-table.js'

test('equal names are one scope, different names are different scopes', () => {
  const scopes = new ScopeTable()
  expect(scopes.enter('a')).toBe(scopes.enter('a'))
  expect(scopes.enter('b')).not.toBe(scopes.enter('a'))
  expect(scopes.enter('')).not.toBe(scopes.enter('__proto__'))
})

test('a scope is forgotten with its last user and not before', () => {
  const scopes = new ScopeTable()
  const id = scopes.enter('a')
  scopes.retain(id)
  scopes.leave(id)
  expect(scopes.enter('a')).toBe(id)
  scopes.leave(id)
  expect(scopes.size).toBe(1)
  scopes.leave(id)
  expect(scopes.size).toBe(0)
})

test('a million tenants that come and go leave nothing behind', () => {
  const scopes = new ScopeTable()
  let highest = 0
  for (let i = 0; i < 1_000_000; i += 1) {
    const id = scopes.enter(`tenant ${i}`)
    highest = Math.max(highest, id)
    scopes.leave(id)
  }
  expect(scopes.size).toBe(0)
  expect(highest).toBe(0)
})
