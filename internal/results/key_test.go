package results

import (
	"fmt"
	"testing"
)

func TestAFilterKnowsWhatWasAddedAndSeldomMore(t *testing.T) {
	var f filter
	const many = 50_000
	key := func(i int) Key { return KeyOf("suite", fmt.Sprintf("case %d", i)) }
	for i := range many {
		f.add(key(i))
	}
	mistaken := 0
	for i := range many {
		if !f.has(key(i)) {
			t.Fatalf("it has forgotten %d", i)
		}
		if f.has(key(many + i)) {
			mistaken++
		}
	}
	if mistaken > many/500 {
		t.Errorf("it takes %d of %d others for one of them", mistaken, many)
	}
	f.clear()
	if f.has(key(0)) {
		t.Error("it has not forgotten")
	}
}
