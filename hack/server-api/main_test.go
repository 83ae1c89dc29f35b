package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTheReferenceIsWhatTheServerServes(t *testing.T) {
	for name, want := range files() {
		got, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/reference/%s is not what the API is (%v): run make generate", name, err)
		}
	}
}
