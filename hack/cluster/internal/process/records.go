package process

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Records keeps the identities of running components, one file each.
type Records string

// Save records a component's process.
func (r Records) Save(name string, id Identity) error {
	if err := os.MkdirAll(string(r), 0o755); err != nil {
		return err
	}
	data, err := json.Marshal(id)
	if err != nil {
		return err
	}
	// Renamed into place: a reader sees the old record or the new one, never half of one.
	tmp := r.file(name) + ".tmp"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, r.file(name))
}

// Load returns what was recorded last; the zero Identity, which is not alive, if nothing was.
func (r Records) Load(name string) (Identity, error) {
	data, err := os.ReadFile(r.file(name))
	if os.IsNotExist(err) {
		return Identity{}, nil
	}
	if err != nil {
		return Identity{}, err
	}
	var id Identity
	if err := json.Unmarshal(data, &id); err != nil {
		return Identity{}, fmt.Errorf("%s: %w", r.file(name), err)
	}
	return id, nil
}

// Names lists the components that were ever recorded.
func (r Records) Names() []string {
	files, _ := filepath.Glob(r.file("*"))
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	return names
}

func (r Records) file(name string) string { return filepath.Join(string(r), name+".json") }
