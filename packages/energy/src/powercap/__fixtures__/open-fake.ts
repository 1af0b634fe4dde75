import type { EnergyAccount, SourceOpening } from '../../source.js'
import { raplSource } from '../rapl-source.js'
import type { FakePowercap } from './fake-powercap.js'

export async function openFake(fake: FakePowercap): Promise<SourceOpening> {
  return raplSource({ root: fake.root, files: fake, now: () => fake.time }).open()
}

/** The account over a fake tree that must be usable. */
export async function accountOf(fake: FakePowercap): Promise<EnergyAccount> {
  const opening = await openFake(fake)
  if (!opening.usable) throw new Error(opening.reasons.join('; '))
  return opening.account
}
