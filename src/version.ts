/** The version in package.json, where it cannot be read at no cost. A test holds the two together. */
export const VERSION = '0.1.0'
