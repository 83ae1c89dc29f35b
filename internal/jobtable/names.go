package jobtable

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// reference says which row a run is. It is in the annotation testrun.dev/row.
type reference struct {
	Database string `json:"database"`
	Table    string `json:"table"`
	ID       string `json:"id"`
	Created  string `json:"created,omitempty"`
	// Server is the database's own name for the table. It is no part of what a row is: a database that moves keeps its rows.
	Server string `json:"server,omitempty"`
}

func (r reference) key() rows.Key { return rows.Key{ID: r.ID, Created: r.Created} }

func (r reference) text() string {
	text, _ := json.Marshal(r) //nolint:errchkjson // strings can be written
	return string(text)
}

// is says whether both are the same row.
func (r reference) is(other reference) bool {
	r.Server, other.Server = "", ""
	return r == other
}

// referenceOf reads which row a run is; false if it is none.
func referenceOf(run *v1alpha1.TestRun) (reference, bool) {
	var r reference
	err := json.Unmarshal([]byte(run.Annotations[v1alpha1.AnnotationRow]), &r)
	return r, err == nil && r.ID != ""
}

const (
	// maxName is how long the name of a run may be.
	maxName = 58
	// hashLength is how much of it the hash takes.
	hashLength = 10
)

// name is that of the row's run, the same whoever computes it: <table>-<id>-<hash>. So no row gets two, whatever crashes and whoever else
// works. The hash tells apart what the rest does not: rows of two databases, ids that are cut, and ids that are used again.
func (r reference) name() string {
	r.Server = ""
	hash := sha256.Sum256([]byte(r.text()))
	_, table, found := strings.Cut(r.Table, ".")
	if !found {
		table = r.Table
	}
	const room = maxName - hashLength - 2
	id := label(r.ID, room-4)
	return fmt.Sprintf("%s-%s-%s", label(table, room-len(id)), id, hex.EncodeToString(hash[:])[:hashLength])
}

// label is a text as a part of a name in Kubernetes.
func label(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, text)
	text = strings.Trim(text[:min(len(text), limit)], "-")
	if text == "" {
		return "x"
	}
	return text
}
