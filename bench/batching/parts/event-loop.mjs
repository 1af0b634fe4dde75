export async function eventLoopPart() {
  return []
}
