// Loads the addon that AddressSanitizer watches in place of the usual one.
const usual = require.extensions['.node']
require.extensions['.node'] = (module, file) =>
  file.includes('bio-node.') ? process.dlopen(module, process.env.BIO_SANITIZED_ADDON) : usual(module, file)
