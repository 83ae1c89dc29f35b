package blobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
)

// folder keeps each blob in a file. The segments of a key are the folders of the file. A key may be the beginning of another one, so files
// have names that no folder has: they end with fileEnd.
//
// The root holds all paths inside the folder, whatever symbolic links say.
type folder struct{ root *os.Root }

const (
	// fileEnd ends the name of a blob's file. No segment has it.
	fileEnd = "~"
	// unfinished is the folder of the files that are being written. No segment begins with '.'.
	unfinished = ".unfinished"
	// abandonedAfter is how old a file in there is if whoever wrote it has died.
	abandonedAfter = time.Hour
)

func openFolder(dir string) (Blobs, error) {
	if dir == "" {
		return nil, errors.New("file: needs the path of a folder, file:/data/blobs for one")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for blobs: %w", readOnly(err))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder for blobs: %w", err)
	}
	f := &folder{root}
	// On a full or read-only disk the blobs that are there can be read, so this error is left to Put.
	if f.makeDirs(unfinished) == nil {
		f.removeAbandoned()
	}
	return f, nil
}

func (f *folder) Close() error { return f.root.Close() }

// removeAbandoned removes what processes left that died while they wrote.
func (f *folder) removeAbandoned() {
	entries, err := f.entries(unfinished)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > abandonedAfter {
			_ = f.root.Remove(path.Join(unfinished, entry.Name()))
		}
	}
}

func (f *folder) Put(ctx context.Context, key string, data []byte) error {
	if err := errors.Join(ctx.Err(), checkPut(key, data)); err != nil {
		return err
	}
	temporary := path.Join(unfinished, rand.Text())
	err := f.write(temporary, data)
	if err == nil {
		err = f.rename(temporary, key+fileEnd)
	}
	if err != nil {
		_ = f.root.Remove(temporary)
		return fmt.Errorf("storing the blob %s: %w", key, readOnly(err))
	}
	return nil
}

func (f *folder) write(name string, data []byte) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) { // the folder was emptied by hand, or the disk was full when it was opened
		if err = f.makeDirs(unfinished); err == nil {
			file, err = f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		}
	}
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// maxRenames is how often rename makes the folders anew when a Delete removes them, since they are empty, between the two steps.
const maxRenames = 10

// rename moves the file to its place, durably.
func (f *folder) rename(from, to string) error {
	dir := path.Dir(to)
	for i := 0; ; i++ {
		if err := f.makeDirs(dir); err != nil {
			return err
		}
		err := f.root.Rename(from, to)
		if err == nil {
			return f.sync(dir)
		}
		if !errors.Is(err, fs.ErrNotExist) || i == maxRenames {
			return err
		}
	}
}

// makeDirs makes a folder and those above it, durably.
func (f *folder) makeDirs(dir string) error {
	err := f.root.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) && dir != "." {
		if err = f.makeDirs(path.Dir(dir)); err == nil {
			err = f.root.Mkdir(dir, 0o700)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist): // if another one has removed it, rename finds out
		return nil
	case err != nil:
		return err
	}
	return f.sync(path.Dir(dir))
}

// sync makes durable which files a folder has.
func (f *folder) sync(dir string) error {
	opened, err := f.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) { // it was removed since: so there is nothing of ours in it
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

func (f *folder) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := errors.Join(ctx.Err(), checkKey(key), checkRange(offset)); err != nil {
		return nil, err
	}
	file, err := f.root.Open(key + fileEnd)
	if isMissing(err) {
		return nil, fmt.Errorf("the blob %s: %w", key, archive.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the blob %s: %w", key, err)
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if length < 0 {
		return file, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(file, length), file}, nil
}

func (f *folder) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := errors.Join(ctx.Err(), checkKey(key)); err != nil {
			return err
		}
		if err := f.root.Remove(key + fileEnd); err != nil && !isMissing(err) {
			return fmt.Errorf("deleting the blob %s: %w", key, readOnly(err))
		}
		// The folders above it go too if nothing else is in them. The system refuses to remove others.
		for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
			if f.root.Remove(dir) != nil {
				break
			}
		}
	}
	return nil
}

func (f *folder) List(ctx context.Context, prefix, after string, limit int) ([]Blob, error) {
	list := listing{folder: f, prefix: prefix, after: after, limit: listLimit(limit)}
	if err := list.walk(ctx, "."); err != nil {
		return nil, fmt.Errorf("listing blobs: %w", err)
	}
	return list.found, nil
}

// listing is a List under way.
type listing struct {
	folder        *folder
	prefix, after string
	limit         int
	found         []Blob
}

// walk finds what is in a folder, in order of the keys. It leaves out folders that cannot hold what is looked for.
func (l *listing) walk(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := l.folder.entries(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if len(l.found) >= l.limit {
			return nil
		}
		key := path.Join(dir, beginning(entry))
		switch {
		case entry.IsDir():
			if l.reaches(key + "/") {
				err = l.walk(ctx, key)
			}
		case strings.HasPrefix(key, l.prefix) && key > l.after:
			err = l.add(entry, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reaches says whether keys that begin with that may be looked for.
func (l *listing) reaches(start string) bool {
	inPrefix := strings.HasPrefix(start, l.prefix) || strings.HasPrefix(l.prefix, start)
	return inPrefix && (start > l.after || strings.HasPrefix(l.after, start))
}

func (l *listing) add(entry fs.DirEntry, key string) error {
	info, err := entry.Info()
	if isMissing(err) {
		return nil // deleted since
	}
	if err != nil {
		return err
	}
	l.found = append(l.found, Blob{key, info.Size(), info.ModTime()})
	return nil
}

// entries are those of a folder that have to do with blobs, in the order of their keys; none if it was removed.
func (f *folder) entries(dir string) ([]fs.DirEntry, error) {
	opened, err := f.root.Open(dir)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := opened.ReadDir(-1)
	if err := errors.Join(err, opened.Close()); err != nil && !isMissing(err) {
		return nil, err
	}
	if dir != unfinished {
		entries = slices.DeleteFunc(entries, func(entry fs.DirEntry) bool { return !isOurs(entry) })
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return entries, nil
}

// isOurs says whether an entry is a blob's file, or a folder of such.
func isOurs(entry fs.DirEntry) bool {
	if entry.IsDir() {
		return isSegment(entry.Name())
	}
	return entry.Type().IsRegular() && strings.HasSuffix(entry.Name(), fileEnd) && isSegment(beginning(entry))
}

// beginning is the segment that an entry stands for.
func beginning(entry fs.DirEntry) string { return strings.TrimSuffix(entry.Name(), fileEnd) }

// sortKey orders entries as their keys are: a folder stands for keys that go on with '/'.
func sortKey(entry fs.DirEntry) string {
	if entry.IsDir() {
		return entry.Name() + "/"
	}
	return beginning(entry)
}

// isMissing includes that a part of the path is a file.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// readOnly adds archive.ErrReadOnly to what the system says when there is no room, or when it lets nobody write.
func readOnly(err error) error {
	for _, reason := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if errors.Is(err, reason) {
			return fmt.Errorf("%w: %w", archive.ErrReadOnly, err)
		}
	}
	return err
}
