package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// spareHeap is how much garbage may gather before it is collected, in bytes, for heaps that are neither small nor large.
	spareHeap = 64 << 20
	// minGCPercent and maxGCPercent bound it, in percent of what is in use. Go's own default is 100.
	minGCPercent, maxGCPercent = 50, 400
)

// gcPercent is the GOGC for so much heap in use, in bytes. A small heap is collected less often, which saves processor time, and a large
// one more often, which saves memory: with 100,000 runs kept nearly all of it stays as it is.
func gcPercent(live uint64) int {
	return int(min(max(spareHeap*100/max(live, 1), minGCPercent), maxGCPercent))
}

// tuneGC sets GOGC by the heap in use, every second until ctx ends, unless the environment sets it.
func tuneGC(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for percent := 0; ; {
		metrics.Read(live)
		if next := gcPercent(live[0].Value.Uint64()); next != percent {
			debug.SetGCPercent(next)
			percent = next
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}
