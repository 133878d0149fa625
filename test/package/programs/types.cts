// The same for CommonJS. Never run.
import hitpath = require('hitpath')

const cache: hitpath.LocalCache<number> = new hitpath.LocalCache<number>()
const value: number | undefined = cache.get('key')
export = value
