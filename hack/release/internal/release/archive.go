package release

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// entry is a file of an archive.
type entry struct {
	name    string // with slashes
	mode    int64
	content []byte
}

func sorted(entries []entry) []entry {
	return slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return strings.Compare(a.name, b.name) })
}

// writeTar writes files with nothing in their headers that differs from one machine to another.
func writeTar(w io.Writer, entries []entry, modified time.Time) error {
	out := tar.NewWriter(w)
	for _, e := range sorted(entries) {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.content)), ModTime: modified, Format: tar.FormatPAX,
		}
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		if _, err := out.Write(e.content); err != nil {
			return err
		}
	}
	return out.Close()
}

func writeTarGzip(w io.Writer, entries []entry, modified time.Time) error {
	out, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := writeTar(out, entries, modified); err != nil {
		return err
	}
	return out.Close()
}

func writeZip(w io.Writer, entries []entry, modified time.Time) error {
	out := zip.NewWriter(w)
	for _, e := range sorted(entries) {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: modified.UTC()}
		header.SetMode(fs.FileMode(e.mode))
		file, err := out.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := file.Write(e.content); err != nil {
			return err
		}
	}
	return out.Close()
}

// readFolder reads all files below a folder, but for hidden ones. Their names are relative to it.
func readFolder(folder string) ([]entry, error) {
	var entries []entry
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		entries = append(entries, entry{name: filepath.ToSlash(name), mode: 0o644, content: content})
		return nil
	})
	return entries, err
}

// tarFolder writes a folder as a tar.
func tarFolder(w io.Writer, folder string, modified time.Time) error {
	entries, err := readFolder(folder)
	if err != nil {
		return err
	}
	return writeTar(w, entries, modified)
}
