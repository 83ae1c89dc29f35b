//go:build linux

package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/results/junit"
	"github.com/testrun-dev/testrun/internal/runner/folder"
)

// maxKnown is how many files are remembered, so that they are not read again under another name.
const maxKnown = 4096

// files reads the JUnit files of a test: all files below a folder whose path matches a pattern. It never leaves the folder, and
// notes what it does not read.
type files struct {
	dir     string
	in      *folder.Folder
	pattern []string
	reader  *junit.Reader
	sink    results.Sink
	// found means that something was read, or noted.
	found bool
	// known are the files that were read, by inode. links are read last.
	known map[uint64]bool
	links []string
}

// read reads all files. The folder may be missing.
func (f *files) read(dir, pattern string) error {
	in, err := folder.Open(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	defer in.Close()
	in.IsPlain = f.isPlain
	in.Unreadable = func(name string, err error) { f.note("the folder %s cannot be read: %v", name, err) }
	in.Full = func() {
		f.note("there are more than %d files below the folder: the rest is not read (see results.path)", folder.MaxEntries)
	}
	f.in, f.dir, f.pattern, f.known = in, dir, strings.Split(path.Clean(pattern), "/"), map[uint64]bool{}
	f.walk(".", 0)
	for _, name := range f.links {
		f.link(name)
	}
	return nil
}

// note says that something was left out.
func (f *files) note(format string, a ...any) {
	f.found = true
	f.sink.Note(results.Incomplete, fmt.Sprintf(format, a...))
}

// walk reads the files in a folder and then its subfolders, both in the order of their names.
func (f *files) walk(name string, depth int) {
	if depth > folder.MaxDepth {
		f.note("the folder %s is not read: folders nest deeper than %d", name, folder.MaxDepth)
		return
	}
	f.in.Each(name, true, func(entry string, kind fs.FileMode) {
		if f.matches(entry) {
			f.file(entry, kind)
		} else if kind&fs.ModeSymlink != 0 && f.leadsInto(entry, depth) {
			f.outside(entry)
		}
	})
	f.in.Each(name, false, func(entry string, _ fs.FileMode) {
		if f.leadsInto(entry, depth) {
			f.walk(entry, depth+1)
		}
	})
}

// isPlain says whether an entry is not a folder. A link to a folder below the root counts as a folder only where the pattern has a
// name for it. Links below ** are not followed, so that they cannot form a loop.
func (f *files) isPlain(name string, kind fs.FileMode) bool {
	if kind&fs.ModeSymlink == 0 {
		return !kind.IsDir()
	}
	depth := strings.Count(name, "/")
	if depth >= len(f.pattern)-1 || slices.Contains(f.pattern[:depth+1], "**") {
		return true
	}
	target, err := f.in.Stat(name)
	return err != nil || !target.IsDir()
}

// leadsInto says whether a folder may have files that match.
func (f *files) leadsInto(folder string, depth int) bool {
	names := strings.Split(folder, "/")
	for i, name := range names {
		if i < len(f.pattern) && f.pattern[i] == "**" {
			return true
		}
		if matched, err := doublestar.Match(f.patternAt(i), name); err != nil || !matched {
			return false
		}
	}
	return depth+1 < len(f.pattern)
}

func (f *files) patternAt(i int) string {
	if i < len(f.pattern) {
		return f.pattern[i]
	}
	return ""
}

func (f *files) matches(name string) bool {
	matched, err := doublestar.Match(strings.Join(f.pattern, "/"), name)
	return err == nil && matched
}

// expected says whether a file should be XML: by its name, or because the pattern is its name.
func (f *files) expected(name string) bool {
	return strings.EqualFold(path.Ext(name), ".xml") || !strings.ContainsAny(strings.Join(f.pattern, "/"), "*?")
}

func (f *files) file(name string, kind fs.FileMode) {
	switch {
	case kind&fs.ModeSymlink != 0 && len(f.links) < maxKnown:
		f.links = append(f.links, name)
	case !kind.IsRegular():
		f.note("%s is not read: it is no ordinary file", name)
	default:
		f.open(name)
	}
}

// link reads the file that a link leads to, if it is below the root and has not been read.
func (f *files) link(name string) {
	target, err := f.in.Stat(name)
	switch {
	case err == nil && target.Mode().IsRegular():
		f.open(name)
	case err == nil && target.IsDir(): // its files are found under their own names
	case err == nil:
		f.note("%s is not read: it is a link to what is no ordinary file", name)
	case errors.Is(err, fs.ErrNotExist):
		f.note("%s is not read: it is a link to a file that does not exist", name)
	default:
		f.note("%s is not read: it is a link that leads out of the folder", name)
	}
}

// outside notes a link to a folder outside the root, since it may have reports.
func (f *files) outside(name string) {
	if _, err := f.in.Stat(name); err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if target, err := os.Stat(filepath.Join(f.dir, name)); err == nil && target.IsDir() {
		f.note("%s is not read: it is a link that leads out of the folder", name)
	}
}

// open reads a file.
func (f *files) open(name string) {
	file, info, err := f.in.File(name)
	switch {
	case errors.Is(err, folder.ErrNotOrdinary):
		f.note("%s is not read: it is no ordinary file", name)
		return
	case err != nil:
		f.note("%s cannot be read: %v", name, err)
		return
	}
	defer file.Close()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		if f.known[stat.Ino] {
			return
		}
		if len(f.known) < maxKnown {
			f.known[stat.Ino] = true
		}
	}
	if f.reader.Read(file, name, f.expected(name)) {
		f.found = true
	}
}
