package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
)

// storable is the name as it is kept: see the function of that name. Reading asks for it in the same form.
func (n CaseName) storable() CaseName {
	return CaseName{plain(n.Namespace), plain(n.Series), storable(n.Suite, maxName), storable(n.Name, maxName)}
}

// hash tells storable names apart. It is long enough that nobody finds two names that have the same.
func (n CaseName) hash() []byte { return hashOf(n.Namespace, n.Series, n.Suite, n.Name) }

// detail is where a case stands and why it did not pass.
type detail struct{ location, message string }

func hashOf(texts ...string) []byte {
	digest := sha256.New()
	for _, text := range texts {
		digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		digest.Write([]byte(text))
	}
	return digest.Sum(nil)[:16]
}

var selectDefs = bulk{
	columns: "hash bytea",
	text:    "SELECT d.id, d.hash FROM {rows} JOIN case_defs d ON d.hash = x.hash",
}

var insertDefs = bulk{
	columns: "hash bytea, namespace text, series text, suite text, name text",
	text: `INSERT INTO case_defs (hash, namespace, series, suite, name) SELECT x.hash, x.namespace, x.series, x.suite, x.name
		FROM {rows} WHERE true ON CONFLICT (hash) DO NOTHING`,
}

// caseIDs are the ids of cases, which are made for those that are new.
func (tx *transaction) caseIDs(ctx context.Context, names []CaseName) (map[CaseName]int64, error) {
	return idsOf(ctx, tx, names, selectDefs, insertDefs, func(n CaseName) []any {
		return []any{n.hash(), n.Namespace, n.Series, n.Suite, n.Name}
	})
}

var selectDetails = bulk{
	columns: "hash bytea, today integer",
	text:    "SELECT d.id, d.hash FROM {rows} JOIN details d ON d.hash = x.hash AND d.used >= x.today - 1",
}

// A detail that is kept is used again today: that keeps it from expiring.
var insertDetails = bulk{
	columns: "hash bytea, today integer, location text, message text",
	text: `INSERT INTO details (hash, used, location, message) SELECT x.hash, x.today, x.location, x.message
		FROM {rows} WHERE true ON CONFLICT (hash) DO UPDATE
		SET used = CASE WHEN excluded.used > details.used THEN excluded.used ELSE details.used END`,
}

// detailIDs are the ids of details of a run; 0 for an empty one. They are used today, and if the clock is behind, when the run was created.
func (tx *transaction) detailIDs(ctx context.Context, run *runRow, details []detail) (map[detail]int64, error) {
	today := max(dayOf(microseconds(tx.store.now())), dayOf(run.created))
	var some []detail
	for _, d := range details {
		if d != (detail{}) {
			some = append(some, d)
		}
	}
	return idsOf(ctx, tx, some, selectDetails, insertDetails, func(d detail) []any {
		return []any{hashOf(d.location, d.message), today, d.location, d.message}
	})
}

// idsOf looks up the entries of a dictionary, and makes those that are missing. row has the columns of insert, the hash first; the first of
// them are those of find.
func idsOf[T comparable](ctx context.Context, tx *transaction, entries []T, find, insert bulk, row func(T) []any) (map[T]int64, error) {
	byHash := map[string]T{}
	values := map[string][]any{}
	for _, entry := range entries {
		columns := row(entry)
		hash := string(columns[0].([]byte))
		byHash[hash], values[hash] = entry, columns
	}
	ids := map[T]int64{}
	look := func() error {
		var missing rows
		for _, hash := range slices.Sorted(maps.Keys(values)) {
			missing = append(missing, values[hash][:find.width()])
		}
		return tx.run(ctx, find, missing, func(scan scanner) error {
			var id int64
			var hash []byte
			err := scan(&id, &hash)
			ids[byHash[string(hash)]] = id
			delete(values, string(hash))
			return err
		})
	}
	if err := look(); err != nil || len(values) == 0 {
		return ids, err
	}
	var missing rows
	for _, hash := range slices.Sorted(maps.Keys(values)) {
		missing = append(missing, values[hash])
	}
	if err := tx.run(ctx, insert, missing, nil); err != nil {
		return nil, err
	}
	return ids, look()
}
