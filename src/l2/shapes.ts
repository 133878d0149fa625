/**
 * One object of each class whose objects live for one call only.
 *
 * A full collection that finds none alive takes their hidden class along, and with it the code that was compiled for it: the calls
 * after it are slow for tenths of a second. What lives here holds nothing of a user alive: at most a class of ioredis.
 */
const kept: object[] = []

/** @param specimen made as all others are, with values of the same kinds: an integer where they have fractions has another hidden class */
export function keepShape(specimen: object): void {
  kept.push(specimen)
}
