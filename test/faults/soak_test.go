package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/test/kit"
)

// TestSoak has many runs of random scenarios in one namespace, while its controllers meet with one fault after the other. What
// is tried follows from the seed; how it interleaves does not.
func TestSoak(t *testing.T) {
	seed := *soakSeed
	for seed == 0 {
		seed = rand.Uint64()
	}
	fmt.Printf("soak: %d runs, -seed=%d\n", *soakRuns, seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var struck []*strike
	w := newWorld(t, func(number int) []*strike {
		strikes := misfortunes(rand.New(rand.NewPCG(seed, uint64(number))))
		struck = append(struck, strikes...)
		return strikes
	})
	w.patience += time.Duration(*soakRuns) * time.Second
	if w.join("") == nil {
		t.Fatal(w.err())
	}
	// What a rival does depends on when its run is deleted: it is tried at each point, and not here.
	alone := slices.DeleteFunc(slices.Clone(scenarios), func(s *scenario) bool { return s.rival })
	names := make([]string, *soakRuns)
	for i := range names {
		names[i] = fmt.Sprintf("run%04d", i)
		if err := w.begin(names[i], alone[random.IntN(len(alone))]); err != nil {
			t.Fatal(err)
		}
		kit.Pause(t.Context(), time.Duration(random.IntN(300))*time.Millisecond)
	}
	endings := w.endOf(names...)
	if err := w.err(); err != nil {
		t.Error(err)
	}
	for _, end := range endings {
		end.check(t)
	}
	happened := slices.DeleteFunc(struck, func(s *strike) bool { return !s.happened.Load() })
	fmt.Printf("soak: %d faults struck %d controllers\n", len(happened), w.number)
}

// misfortunes are what may happen to one controller: as much as it lives to see.
func misfortunes(random *rand.Rand) []*strike {
	farthest := map[place]int{atRead: 45, atWrite: 60, atEvent: 400}
	strikes := make([]*strike, 15)
	for i := range strikes {
		fault := faults[random.IntN(len(faults))]
		strikes[i] = &strike{fault: fault, number: 3 + random.IntN(farthest[fault.at])}
	}
	return strikes
}
