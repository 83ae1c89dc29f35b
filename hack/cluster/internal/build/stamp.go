package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// stamp is a hash over all that decides what a component's program is: Go's version, the flags, the module's pinned
// dependencies and its own source, if it has any.
func stamp(moduleRoot string, c Component) (string, error) {
	dir := filepath.Join(moduleRoot, c.Module)
	files := []string{filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum")}
	if strings.HasPrefix(c.Package, ".") {
		// A package without dependencies, or whose dependencies go.sum pins: its own files are all there is to it.
		sources, err := filepath.Glob(filepath.Join(dir, c.Package, "*.go"))
		if err != nil {
			return "", err
		}
		files = append(files, sources...)
		if c.Module == "." {
			files = sources
		}
	}
	slices.Sort(files)
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH, cgoEnabled(c), buildArgs(c), c.Package)
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, filepath.Base(name))
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
