package jobtable

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// maxFile is how much of a file with JobTables is read.
const maxFile = 4 << 20

// Triggers is the SQL of the triggers with which PostgreSQL says at once that the tables have news. The file holds JobTables as YAML, alone
// or in a list, and may hold other objects. The schema's defaults may be missing.
func Triggers(file io.Reader) (string, error) {
	documents := yaml.NewYAMLReader(bufio.NewReader(io.LimitReader(file, maxFile)))
	var sql strings.Builder
	for {
		text, err := documents.Read()
		switch {
		case errors.Is(err, io.EOF) && sql.Len() == 0:
			return "", errors.New("the file holds no JobTable: it needs kind: JobTable, spec.table and spec.columns.status")
		case errors.Is(err, io.EOF):
			return sql.String(), nil
		case err != nil:
			return "", err
		}
		if err := addTriggers(&sql, text); err != nil {
			return "", err
		}
	}
}

func addTriggers(sql *strings.Builder, object []byte) error {
	var head struct {
		metav1.TypeMeta `json:",inline"`
		Items           []runtime.RawExtension `json:"items"`
	}
	if err := sigsyaml.Unmarshal(object, &head); err != nil {
		return fmt.Errorf("the file is no YAML: %w", err)
	}
	for _, item := range head.Items {
		if err := addTriggers(sql, item.Raw); err != nil {
			return err
		}
	}
	if head.Kind != "JobTable" {
		return nil
	}
	table := &v1alpha1.JobTable{}
	if err := sigsyaml.UnmarshalStrict(object, table); err != nil {
		return fmt.Errorf("the JobTable is not as the reference says: %w", err)
	}
	m := mappingOf(table)
	if m.Table == "" || m.Status == "" {
		return errors.New("the JobTable is not whole: it needs spec.table and spec.columns.status")
	}
	m.Pending = cmp.Or(m.Pending, "pending")
	sql.WriteString(rows.Trigger(m))
	return nil
}
