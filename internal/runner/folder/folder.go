//go:build linux

// Package folder makes the folders that a test leaves files in, and walks through them. A test may put anything there: links that lead
// elsewhere, pipes, millions of files. Nothing outside of the folder is read, and memory is bounded.
package folder

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
)

// Limits for a folder, so that the runner's memory is limited.
const (
	// MaxEntries is how many files and folders are looked at.
	MaxEntries = 100_000
	// MaxDepth is how deep folders may nest.
	MaxDepth = 50
	// KeptAtOnce is how many names are in memory, and readAtOnce how many entries of a folder are read at a time.
	KeptAtOnce = 1024
	readAtOnce = 256
)

// Folder is an open folder.
type Folder struct {
	root *os.Root
	// IsPlain says whether an entry, with its path, is not a folder to walk through.
	IsPlain func(name string, kind fs.FileMode) bool
	// Unreadable is called for a folder that cannot be read, and Full once when there are more than MaxEntries.
	Unreadable func(name string, err error)
	Full       func()
	entries    int
}

// Open opens a folder. An error for one that is missing is fs.ErrNotExist.
func Open(dir string) (*Folder, error) {
	before, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !before.IsDir() {
		return nil, fmt.Errorf("%s is no folder any more", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(before, opened) {
		root.Close()
		return nil, errors.Join(err, fmt.Errorf("%s was replaced while it was read", dir))
	}
	return &Folder{root: root}, nil
}

// Close closes it.
func (f *Folder) Close() { f.root.Close() }

// Stat says what an entry is, or what a link leads to if that is below the folder.
func (f *Folder) Stat(name string) (fs.FileInfo, error) { return f.root.Stat(name) }

// ErrNotOrdinary is the error for a pipe, a device or a folder.
var ErrNotOrdinary = errors.New("it is no ordinary file")

// File opens an ordinary file. It does not block if the file has become a pipe.
func (f *Folder) File(name string) (*os.File, fs.FileInfo, error) {
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotOrdinary
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// Each calls do with the path of each file in a folder, in the order of their names, or of each subfolder if plain is false. At most
// 2 × KeptAtOnce names are in memory at a time: a larger folder is read several times.
func (f *Folder) Each(name string, plain bool, do func(entry string, kind fs.FileMode)) {
	after, last := "", false
	for first := true; !last && f.entries <= MaxEntries; first = false {
		batch, err := f.batch(name, after, plain, first && plain)
		if err != nil {
			f.Unreadable(name, err)
			return
		}
		for _, entry := range batch {
			do(path.Join(name, entry.name), entry.kind)
			after = entry.name
		}
		last = len(batch) < KeptAtOnce
	}
}

type entry struct {
	name string
	kind fs.FileMode
}

// batch returns the next KeptAtOnce entries after a name, in order. If counting is set, it counts the entries.
func (f *Folder) batch(name, after string, plain, counting bool) ([]entry, error) {
	dir, err := f.root.Open(name)
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
			if base, kind := one.Name(), one.Type(); base > after && f.IsPlain(path.Join(name, base), kind) == plain {
				kept = append(kept, entry{strings.Clone(base), kind})
			}
		}
		if len(kept) > 2*KeptAtOnce {
			shorten(KeptAtOnce)
		}
		if counting {
			f.entries += len(read)
		}
		switch {
		case counting && f.entries > MaxEntries:
			f.Full()
			fallthrough
		case errors.Is(err, io.EOF):
			shorten(KeptAtOnce)
			return kept, nil
		case err != nil:
			return nil, err
		}
	}
}

// ErrNotOurs is why a folder is not used.
var ErrNotOurs = errors.New("it was there before and is no folder of this user's: somebody else may have made it")

// Make makes a folder. All users may write to it, since a test may run parts of itself as other users. Its name can be guessed, so
// somebody else may have put a link or a folder there. That is left as it is.
func Make(dir string) error {
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
		return ErrNotOurs
	case err != nil:
		return err
	}
	defer folder.Close()
	info, err := folder.Stat()
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); made != nil && (!ok || int(stat.Uid) != os.Geteuid()) {
		return ErrNotOurs
	}
	return folder.Chmod(0o777)
}
