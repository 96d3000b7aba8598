package config

import _ "embed"

//go:embed schema.json
var schema string

// Schema returns the JSON Schema (2020-12) of the main file, for editors. It is
// made from the structs of this package; a test holds the two together. What it
// accepts may still be refused by Load, which knows how keys depend on each
// other.
func Schema() []byte { return []byte(schema) }
