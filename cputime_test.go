package homeserver_test

import "testing"

// reportCPU reports the CPU time of what is done until the function that it returns is
// called: unlike the time that passes it says something on a busy machine too.
func reportCPU(b *testing.B) func() {
	start := cpuTime(b)
	return func() { b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/1000/float64(b.N), "cpu-ms/op") }
}
