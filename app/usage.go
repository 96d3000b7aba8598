package app

import (
	"runtime/metrics"
	"syscall"
	"time"
)

// consumption is what the process uses of the machine.
type consumption struct {
	// memory is what the runtime holds, in bytes; processor is time since the start.
	memory    int64
	processor time.Duration
}

func usage() consumption {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	c := consumption{
		memory: int64(samples[0].Value.Uint64()) - int64(samples[1].Value.Uint64()),
	}
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil {
		c.processor = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return c
}
