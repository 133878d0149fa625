/**
 * A TCP proxy that can be as bad as a network: silent, slow, cut or refusing. What arrives while it is silent is kept and
 * forwarded, in order, on resume.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

interface Link {
  readonly near: Socket
  readonly far: Socket
  stranded: boolean
}

export class TcpProxy {
  readonly port: number
  readonly #server: Server
  readonly #links = new Set<Link>()
  #target: number
  #delayMs = 0
  #bytesTaken = 0
  #refusing = false
  #swallowing = false
  #open: Promise<void> = Promise.resolve()
  #resume: (() => void) | undefined

  private constructor(server: Server, target: number) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    this.#target = target
  }

  /** Listens on a free loopback port and forwards to another. */
  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.unref()
    const proxy = new TcpProxy(server, targetPort)
    server.on('connection', (socket) => proxy.#accept(socket))
    return proxy
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#links.size
  }

  /** Bytes that came from the near side, forwarded or not. */
  get bytesTaken(): number {
    return this.#bytesTaken
  }

  /** Half open: connects succeed, bytes are taken, nothing is forwarded either way, nothing is closed. */
  pause(): void {
    if (this.#resume !== undefined) return
    this.#open = new Promise((resolve) => {
      this.#resume = resolve
    })
  }

  /** The open connections are half open for ever, as if the peer's machine were gone; new ones work. */
  strand(): void {
    for (const link of this.#links) link.stranded = true
  }

  /** What is sent arrives; what is answered is lost. */
  swallow(): void {
    this.#swallowing = true
  }

  /** Back to normal after `pause`, `delay`, `refuse` and `swallow`; what was swallowed breaks the connections. */
  resume(): void {
    if (this.#swallowing) this.cut()
    this.#swallowing = false
    this.#delayMs = 0
    this.#refusing = false
    this.#resume?.()
    this.#resume = undefined
  }

  /** Every chunk of bytes waits this long, each way. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  /** Resets every open connection; new ones are accepted. */
  cut(): void {
    for (const { near, far } of this.#links) {
      near.resetAndDestroy()
      far.destroy()
    }
    this.#links.clear()
  }

  /** Cuts, and resets every new connection until `resume`. */
  refuse(): void {
    this.#refusing = true
    this.cut()
  }

  /** New connections go to another port. */
  retarget(port: number): void {
    this.#target = port
  }

  async stop(): Promise<void> {
    this.resume()
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(near: Socket): void {
    near.on('error', () => {})
    if (this.#refusing) {
      near.resetAndDestroy()
      return
    }
    const far = connect({ port: this.#target, host: '127.0.0.1', noDelay: true })
    far.on('error', () => {})
    const link: Link = { near, far, stranded: false }
    this.#links.add(link)
    this.#pipe(near, far, link)
    this.#pipe(far, near, link)
  }

  #pipe(from: Socket, to: Socket, link: Link): void {
    let tail: Promise<unknown> = Promise.resolve()
    const after = (act: () => void) => {
      if (link.stranded) return
      const due = Date.now() + this.#delayMs
      tail = tail.then(async () => {
        await this.#open
        const rest = due - Date.now()
        if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest))
        act()
      })
    }
    from.on('data', (chunk) => {
      if (from === link.near) this.#bytesTaken += chunk.length
      if (this.#swallowing && from === link.far) return
      after(() => to.destroyed || to.write(chunk))
    })
    from.on('close', () => {
      after(() => {
        to.destroy()
        this.#links.delete(link)
      })
    })
  }
}
