package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTrimDoesAllToACRDThatItIsFor(t *testing.T) {
	got, _, err := trim(read(t, "testdata/crd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := read(t, "testdata/crd.trimmed.yaml"); !bytes.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTrimIsStable(t *testing.T) {
	once := read(t, "testdata/crd.trimmed.yaml")
	twice, _, err := trim(once)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(once, twice) {
		t.Error("a second trim changed the file")
	}
}

func TestTrimRefusesWhatIsNotACRD(t *testing.T) {
	if _, _, err := trim([]byte("kind: Deployment\n")); err == nil {
		t.Error("a Deployment was accepted")
	}
}

func TestTrimFileRefusesACRDOverTheLimitAndLeavesItAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crd.yaml")
	small := string(read(t, "testdata/crd.yaml"))
	big := strings.Replace(small, "Test is kept.", strings.Repeat("x", sizeLimit), 1)
	if err := os.WriteFile(path, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}

	_, err := trimFile(path)

	if err == nil || !strings.Contains(err.Error(), "too big for kubectl apply") {
		t.Errorf("error = %v", err)
	}
	if string(read(t, path)) != big {
		t.Error("the file was changed")
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// A newer controller-gen may write another pattern, which would then go out as it is.
func TestTheShippedQuantitiesAreTightened(t *testing.T) {
	crds, err := filepath.Glob("../../../config/crd/bases/*.yaml")
	if err != nil || len(crds) == 0 {
		t.Fatalf("no CRDs found: %v", err)
	}
	quantities := 0
	for _, path := range crds {
		content := string(read(t, path))
		all, tight := strings.Count(content, "numkMGTPE"), strings.Count(content, quantity)
		if all != tight {
			t.Errorf("%s: of %d quantities %d are tightened", path, all, tight)
		}
		quantities += all
	}
	if quantities == 0 {
		t.Error("there are no quantities, not even in the pod templates: this test proves nothing")
	}
}
