/** Finds subjects by the ids that a command line names. */
import type { Subject, Suite } from './subject.js'

export interface Chosen {
  readonly suite: Suite
  readonly subject: Subject
}

/** Subjects of which the suite, the subject or a figure is named; all when nothing is. */
export function choose(suites: readonly Suite[], only: readonly string[]): readonly Chosen[] {
  const isChosen = (suite: Suite, subject: Subject): boolean =>
    only.length === 0 ||
    [suite.id, subject.id, ...subject.figures.map(({ id }) => id)].some((id) => only.includes(id))
  return suites.flatMap((suite) =>
    suite.subjects.filter((subject) => isChosen(suite, subject)).map((subject) => ({ suite, subject })),
  )
}
