//go:build linux

package program

import (
	"errors"
	"fmt"
	"io"
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
)

// Limits for the folder with JUnit files, so that the runner's memory is limited.
const (
	// maxEntries is how many files and folders are looked at.
	maxEntries = 100_000
	// maxDepth is how deep folders may nest.
	maxDepth = 50
	// readAtOnce is how many entries of a folder are read at a time. keptAtOnce is how many names are in memory.
	readAtOnce = 256
	keptAtOnce = 1024
	// maxKnown is how many files are remembered, so that they are not read again under another name.
	maxKnown = 4096
)

// files reads the JUnit files of a test: all files below a folder whose path matches a pattern. It never leaves the folder, and
// notes what it does not read.
type files struct {
	dir     string
	root    *os.Root
	pattern []string
	reader  *junit.Reader
	sink    results.Sink
	// found means that something was read, or noted.
	found bool
	// entries counts the files and folders that were looked at. known are the files that were read, by inode. links are read last.
	entries int
	known   map[uint64]bool
	links   []string
}

// read reads all files. The folder may be missing.
func (f *files) read(dir, pattern string) error {
	before, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !before.IsDir():
		return fmt.Errorf("%s is no folder any more", dir)
	}
	f.root, err = os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer f.root.Close()
	if opened, err := f.root.Stat("."); err != nil || !os.SameFile(before, opened) {
		return errors.Join(err, fmt.Errorf("%s was replaced while it was read", dir))
	}
	f.dir, f.pattern, f.known = dir, strings.Split(path.Clean(pattern), "/"), map[uint64]bool{}
	f.folder(".", 0)
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

// folder reads the files in a folder and then its subfolders, both in the order of their names.
func (f *files) folder(name string, depth int) {
	if depth > maxDepth {
		f.note("the folder %s is not read: folders nest deeper than %d", name, maxDepth)
		return
	}
	f.each(name, true, func(entry string, kind fs.FileMode) {
		if f.matches(entry) {
			f.file(entry, kind)
		} else if kind&fs.ModeSymlink != 0 && f.leadsInto(entry, depth) {
			f.outside(entry)
		}
	})
	f.each(name, false, func(entry string, _ fs.FileMode) {
		if f.leadsInto(entry, depth) {
			f.folder(entry, depth+1)
		}
	})
}

// each calls do with the path of each file in a folder, or of each subfolder if plain is false. At most keptAtOnce names are in
// memory at a time: a larger folder is read several times.
func (f *files) each(folder string, plain bool, do func(entry string, kind fs.FileMode)) {
	after, last := "", false
	for first := true; !last && f.entries <= maxEntries; first = false {
		batch, err := f.batch(folder, after, plain, first && plain)
		if err != nil {
			f.note("the folder %s cannot be read: %v", folder, err)
			return
		}
		for _, entry := range batch {
			do(path.Join(folder, entry.name), entry.kind)
			after = entry.name
		}
		last = len(batch) < keptAtOnce
	}
}

type entry struct {
	name string
	kind fs.FileMode
}

// batch returns the next keptAtOnce entries after a name, in order. If counting is set, it counts the entries.
func (f *files) batch(folder, after string, plain, counting bool) ([]entry, error) {
	dir, err := f.root.Open(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var kept []entry
	shorten := func(limit int) {
		slices.SortFunc(kept, func(a, b entry) int { return strings.Compare(a.name, b.name) })
		kept = slices.Delete(kept, min(limit, len(kept)), len(kept))
	}
	for {
		read, err := dir.ReadDir(readAtOnce)
		for _, one := range read {
			if name, kind := one.Name(), one.Type(); name > after && f.isPlain(path.Join(folder, name), kind) == plain {
				kept = append(kept, entry{strings.Clone(name), kind})
			}
		}
		if len(kept) > 2*keptAtOnce {
			shorten(keptAtOnce)
		}
		if counting {
			f.entries += len(read)
		}
		switch {
		case counting && f.entries > maxEntries:
			f.note("there are more than %d files below the folder: the rest is not read (see results.path)", maxEntries)
			fallthrough
		case errors.Is(err, io.EOF):
			shorten(keptAtOnce)
			return kept, nil
		case err != nil:
			return nil, err
		}
	}
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
	target, err := f.root.Stat(name)
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
	target, err := f.root.Stat(name)
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
	if _, err := f.root.Stat(name); err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if target, err := os.Stat(filepath.Join(f.dir, name)); err == nil && target.IsDir() {
		f.note("%s is not read: it is a link that leads out of the folder", name)
	}
}

// open reads a file. It does not block if the file has become a pipe.
func (f *files) open(name string) {
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		f.note("%s cannot be read: %v", name, err)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.note("%s is not read: it is no ordinary file", name)
		return
	}
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

// errNotOurs is why the folder for files is not used.
var errNotOurs = errors.New("it was there before and is no folder of this user's: somebody else may have made it")

// makeFolder makes the folder for files. All users may write to it, since a test may run parts of itself as other users. Its name
// can be guessed, so somebody else may have put a link or a folder there. That is left as it is.
func makeFolder(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return err
	}
	made := os.Mkdir(dir, 0o777)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return made
	}
	folder, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP), errors.Is(err, fs.ErrPermission):
		return errNotOurs
	case err != nil:
		return err
	}
	defer folder.Close()
	info, err := folder.Stat()
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); made != nil && (!ok || int(stat.Uid) != os.Geteuid()) {
		return errNotOurs
	}
	return folder.Chmod(0o777)
}
