/** The YAML of the documents parses, and the manifests for Kubernetes agree with themselves and with the program beside them. */
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type Block, blocksOf, nameOf } from './documents.js'

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  // biome-ignore lint/suspicious/noExplicitAny: manifests have a form of their own, which the assertions below look at.
  readonly spec: any
}

const BLOCKS = blocksOf('yaml')
const KUBERNETES = BLOCKS.filter(({ words }) => words.includes('kubernetes'))

test.each(BLOCKS.map((block) => [nameOf(block), block] as const))('%s parses', (_, block) => {
  expect(parsed(block).length).toBeGreaterThan(0)
})

describe('the manifests', () => {
  const manifests = KUBERNETES.flatMap((block) => parsed(block) as Manifest[])
  const of = (kind: string) => manifests.filter((one) => one.kind === kind)

  test('are known kinds of served versions, with a name', () => {
    const served: Record<string, string> = {
      Deployment: 'apps/v1',
      PodDisruptionBudget: 'policy/v1',
      NetworkPolicy: 'networking.k8s.io/v1',
    }
    expect(manifests.length).toBeGreaterThan(3)
    for (const { kind, apiVersion, metadata } of manifests) {
      expect(apiVersion).toBe(served[kind])
      expect(metadata.name).toMatch(/^[a-z0-9-]+$/)
    }
  })

  test('selectors select the pods of the deployment, probes ask a port that it has', () => {
    const [{ spec } = { spec: undefined }] = of('Deployment')
    const { labels } = spec.template.metadata
    expect(spec.selector.matchLabels).toEqual(labels)
    for (const { spec: budget } of of('PodDisruptionBudget'))
      expect(budget.selector.matchLabels).toEqual(labels)
    expect(
      of('NetworkPolicy').some(({ spec: policy }) => policy.podSelector.matchLabels.app === labels.app),
    ).toBe(true)
    const [container] = spec.template.spec.containers
    const ports = container.ports.map(({ name }: { name: string }) => name)
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
      expect(ports).toContain(container[probe].httpGet.port)
  })

  test('paths and variables are those of the program', () => {
    const [{ spec } = { spec: undefined }] = of('Deployment')
    const [container] = spec.template.spec.containers
    const program = blocksOf('js').find(({ document }) => document === KUBERNETES[0]?.document)?.code ?? ''
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
      expect(program).toContain(`'${container[probe].httpGet.path}'`)
    const names = container.env
      .map(({ name }: { name: string }) => name)
      .filter((name: string) => name !== 'NODE_OPTIONS')
    expect(names.length).toBeGreaterThan(2)
    for (const name of names) expect(program).toContain(`process.env.${name}`)
  })

  test('heap and region fit into the limit, the drain into the grace period', () => {
    const [{ spec } = { spec: undefined }] = of('Deployment')
    const pod = spec.template.spec
    const [container] = pod.containers
    const value = (name: string): string =>
      container.env.find((one: { name: string }) => one.name === name).value
    const heapMiB = Number(/--max-old-space-size=(\d+)/.exec(value('NODE_OPTIONS'))?.[1])
    const limitMiB = 1024 * Number(/^(\d+)Gi$/.exec(container.resources.limits.memory)?.[1])
    expect(container.resources.requests.memory).toBe(container.resources.limits.memory)
    expect(heapMiB + limitMiB / 3).toBeLessThan(limitMiB)
    expect(Number(value('DRAIN_MS')) / 1000).toBeLessThan(pod.terminationGracePeriodSeconds)
  })
})

function parsed(block: Block): unknown[] {
  return [...parseAllDocuments(block.code)].map((document) => {
    expect(document.errors).toEqual([])
    expect(document.warnings).toEqual([])
    return document.toJS() as unknown
  })
}
