package server

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestTheKeyIsMadeOnceWhoeverAsks(t *testing.T) {
	dir := t.TempDir()
	pins := make([]string, 16)
	var all sync.WaitGroup
	for i := range pins {
		all.Go(func() {
			key, err := ownKey(dir)
			if err != nil {
				t.Error(err)
				return
			}
			if pins[i], err = pinOf(key); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, pin := range pins {
		if pin != pins[0] || len(pin) != 64 {
			t.Errorf("one has the pin %q, another one %q", pins[0], pin)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Errorf("the folder has %q, %v", files, err)
	}
	if about, err := os.Stat(files[0]); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("others may read the key: %v, %v", about.Mode(), err)
	}
}

func TestADamagedKeyIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ownKey(dir); err == nil || !strings.Contains(err.Error(), "Delete "+filepath.Join(dir, keyFile)) {
		t.Errorf("the error is %v", err)
	}
}
