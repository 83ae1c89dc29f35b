package ingest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/testrun-dev/testrun/internal/archivestatus"
)

func TestTheWatermarkNeverSaysMoreThanIsStoredAndRead(t *testing.T) {
	for name, test := range map[string]struct {
		said      string   // what the ConfigMap says
		passed    []string // cursors of the past
		cursor    string
		unsettled string
		want      string
	}{
		"nothing is stored yet":                                {cursor: "", want: ""},
		"nothing is stored, and somebody said otherwise":       {said: "99", cursor: "", want: ""},
		"all is stored, and every log is read":                 {said: "5", passed: []string{"5", "9"}, cursor: "12", want: "12"},
		"versions are compared as numbers":                     {said: "9", passed: []string{"9"}, cursor: "10", want: "10"},
		"a log has to be read yet":                             {said: "5", passed: []string{"5", "9", "10"}, cursor: "12", unsettled: "10", want: "9"},
		"a log has to be read of the latest run":               {said: "5", passed: []string{"5", "9"}, cursor: "12", unsettled: "12", want: "9"},
		"a log has to be read of a run beyond the cursor":      {said: "5", passed: []string{"5", "9"}, cursor: "12", unsettled: "13", want: "12"},
		"a log has to be read, and this process is new":        {said: "5", cursor: "12", unsettled: "10", want: "5"},
		"a log has to be read, and nothing was ever said":      {cursor: "12", unsettled: "10", want: ""},
		"what was said is not taken back":                      {said: "9", passed: []string{"5", "9"}, cursor: "12", unsettled: "7", want: "9"},
		"the API server was restored, its versions begin anew": {said: "99", passed: []string{"98", "99"}, cursor: "12", want: "12"},
		"it was restored, and a log has to be read":            {said: "99", passed: []string{"98", "99"}, cursor: "12", unsettled: "11", want: ""},
		"somebody has written nonsense":                        {said: "all of it", cursor: "12", unsettled: "10", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Status{passed: test.passed, seen: &corev1.ConfigMap{Data: map[string]string{archivestatus.KeyWatermark: test.said}}}
			if got := s.watermark(test.cursor, test.unsettled); got != test.want {
				t.Errorf("it is %q, want %q", got, test.want)
			}
		})
	}
}
