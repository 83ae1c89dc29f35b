// Command server-api writes the reference of the archive's API: docs/reference/openapi.json, as the server serves it, and the same for
// people, docs/reference/server-api.md. It is run by make generate, in the root of the repository.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/testrun-dev/testrun/internal/web"
)

func main() {
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join("docs", "reference", name), text, 0o644); err != nil { //nolint:gosec // everybody may read it
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// files are what is generated, by its name in docs/reference.
func files() map[string][]byte {
	document, text := web.Document()
	return map[string][]byte{"openapi.json": text, "server-api.md": []byte(markdown(document))}
}
