/** Real servers for tests, alone, in a Cluster or under sentinels, and a bad network before them. */
export { RedisCluster } from './cluster.js'
export { command, RedisServer } from './redis-server.js'
export { Sentinel } from './sentinel.js'
export { TcpProxy } from './tcp-proxy.js'
export { waitFor } from './wait.js'
