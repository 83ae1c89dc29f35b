package blobs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
)

// files are those below a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestBlobsSurviveInTheirFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	put(t, open(t, "file:"+dir), "a/b", "kept")
	if got := read(t, open(t, "file://"+dir), "a/b", 0, -1); got != "kept" {
		t.Errorf("it is %q", got)
	}
	info, err := os.Stat(filepath.Join(dir, "a", "b~"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its file is %v, %v", info, err)
	}
}

func TestFoldersThatAreEmptyGo(t *testing.T) {
	dir := t.TempDir()
	b := open(t, "file:"+dir)
	put(t, b, "a/b/c", "1")
	put(t, b, "a/d", "2")
	if err := b.Delete(t.Context(), "a/b/c"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a", "b")); !os.IsNotExist(err) {
		t.Errorf("the empty folder is there: %v", err)
	}
	if got := read(t, b, "a/d", 0, -1); got != "2" {
		t.Errorf("the other blob is %q", got)
	}
}

func TestWhatAProcessLeftThatDiedIsNoBlobAndIsRemoved(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, "file:"+dir), "a", "1")
	old, recent := filepath.Join(dir, unfinished, "OLD"), filepath.Join(dir, unfinished, "RECENT")
	for _, name := range []string{old, recent, filepath.Join(dir, "foreign"), filepath.Join(dir, ".hidden~")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * abandonedAfter)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	b := open(t, "file:"+dir)
	if got := list(t, b, "", "", 10); got != "a" {
		t.Errorf("listed are %q", got)
	}
	if got := fmt.Sprint(files(t, filepath.Join(dir, unfinished))); got != "[RECENT]" {
		t.Errorf("unfinished are %s", got)
	}
}

func TestALinkLeadsNowhereOutOfTheFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	b := open(t, "file:"+dir)
	if err := os.WriteFile(filepath.Join(outside, "secret~"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(t.Context(), "link/secret", 0, -1); err == nil {
		t.Error("the secret was read")
	}
	if err := b.Put(t.Context(), "link/new", []byte("x")); err == nil {
		t.Error("a blob was put outside")
	}
	if err := b.Delete(t.Context(), "link/secret"); err == nil {
		t.Error("a file outside was deleted")
	}
	if got := fmt.Sprint(files(t, outside)); got != "[secret~]" {
		t.Errorf("outside are %s", got)
	}
}

func TestAFullDiskIsReadOnly(t *testing.T) {
	dir := fullDisk(t)
	b := open(t, "file:"+dir)
	put(t, b, "a/first", "kept")
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		err = b.Put(t.Context(), fmt.Sprintf("a/%d", i), make([]byte, 64<<10))
	}
	if !errors.Is(err, archive.ErrReadOnly) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("on a full disk: %v", err)
	}
	if left := files(t, filepath.Join(dir, unfinished)); len(left) > 0 {
		t.Errorf("unfinished files take room: %v", left)
	}
	if got := read(t, open(t, "file:"+dir), "a/first", 0, -1); got != "kept" {
		t.Errorf("the blob on the full disk is %q", got)
	}
	if err := b.Delete(t.Context(), "a/0", "a/1"); err != nil {
		t.Fatalf("deleting on a full disk: %v", err)
	}
	put(t, b, "a/again", "there is room")
}

// fullDisk is a file system of 1 MiB. Only the superuser can make one.
func fullDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no small disk can be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
