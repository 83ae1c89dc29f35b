package main

import (
	"fmt"
	"io"
)

// size is that of a queue: how many runs run, and how many wait.
type size struct {
	MaxRunning int `json:"maxRunning"`
	Waiting    int `json:"waiting"`
}

const longestQueue = 10000

var (
	byWaiting    = []size{{10, 10}, {10, 100}, {10, 1000}, {10, longestQueue}}
	byMaxRunning = []size{{1, longestQueue}, {3, longestQueue}, {10, longestQueue}, {100, longestQueue}}
)

// startCost is what is measured of starts in a queue. Times are in milliseconds, CPU time is the operator's for each start.
type startCost struct {
	P50 float64 `json:"untilNextJobP50"`
	P90 float64 `json:"untilNextJobP90"`
	CPU float64 `json:"operatorCPU"`
	// PerSecond and FullSpeedCPU are of starts as fast as they can; 0 for a queue that is too short for that.
	PerSecond    float64 `json:"startsPerSecondAtFullSpeed,omitempty"`
	FullSpeedCPU float64 `json:"operatorCPUAtFullSpeed,omitempty"`
}

// curve is how the cost changes as the queue grows in one direction.
type curve []point

// point is a queue, and what a start costs there.
type point struct {
	size
	Cost startCost `json:"cost"`
	// Ratio is to the first queue of the curve that has the figure.
	Ratio startCost `json:"ratioToSmallest"`
}

func newCurve(sizes []size, costs map[size]startCost) curve {
	var base startCost
	points := make(curve, 0, len(sizes))
	for _, queue := range sizes {
		p := point{size: queue, Cost: costs[queue]}
		for i, value := range p.Cost.figures() {
			if first := base.figures()[i]; *first == 0 {
				*first = *value
			}
			if *value != 0 {
				*p.Ratio.figures()[i] = *value / *base.figures()[i]
			}
		}
		points = append(points, p)
	}
	return points
}

func (c *startCost) figures() []*float64 {
	return []*float64{&c.P50, &c.P90, &c.CPU, &c.PerSecond, &c.FullSpeedCPU}
}

// print writes the curve as a table: each figure, and its ratio to the smallest queue.
func (c curve) print(table io.Writer) {
	fmt.Fprintln(table, "\nQUEUE: waiting\trunning\tfree slot → next Job, p50, ms\tp90, ms\tCPU time of a start, ms\tat full speed: starts a second\tCPU time of a start, ms")
	for _, p := range c {
		fmt.Fprintf(table, "%d\t%d", p.Waiting, p.MaxRunning)
		ratios := p.Ratio.figures()
		for i, value := range p.Cost.figures() {
			if *value == 0 {
				fmt.Fprint(table, "\t")
				continue
			}
			fmt.Fprintf(table, "\t%.1f (%.2f)", *value, *ratios[i])
		}
		fmt.Fprintln(table)
	}
}
