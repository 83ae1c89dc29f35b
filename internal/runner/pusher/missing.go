//go:build linux

package pusher

import (
	"fmt"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// maxWord bounds each thing that is said to be missing, in bytes.
const maxWord = 512

// missing collects what was left out, in words for people.
type missing struct {
	said []string
	more int
}

func (m *missing) add(format string, a ...any) {
	if len(m.said) == push.MaxMissing-1 {
		m.more++
		return
	}
	m.said = append(m.said, results.Cut(fmt.Sprintf(format, a...), maxWord))
}

func (m *missing) words() []string {
	if m.more == 0 {
		return m.said
	}
	return append(m.said[:len(m.said):len(m.said)], fmt.Sprintf("and %d more", m.more))
}
