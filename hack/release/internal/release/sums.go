package release

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sum writes the checksums of all files, as sha256sum reads them.
func (w *workshop) sum(context.Context) error {
	var out bytes.Buffer
	err := filepath.WalkDir(w.dist, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		sum, err := sumOf(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(w.dist, path)
		fmt.Fprintf(&out, "%s  %s\n", sum, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return err
	}
	return w.write(sumsFile, out.Bytes())
}

func sumOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// checkSums compares the files of a release with its checksums.
func checkSums(dist string) error {
	list, err := os.Open(filepath.Join(dist, sumsFile))
	if err != nil {
		return fmt.Errorf("there is no release in %s, `make release` makes one: %w", dist, err)
	}
	defer list.Close()
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s names the file %q, which is not of the release", sumsFile, name)
		}
		got, err := sumOf(filepath.Join(dist, name))
		if err != nil {
			return fmt.Errorf("the release in %s is not complete, make it again with `make release`: %w", dist, err)
		}
		if got != want {
			return fmt.Errorf("%s was changed after it was made: %s has another checksum for it; make the release again with `make release`",
				filepath.Join(dist, name), sumsFile)
		}
	}
	return lines.Err()
}
