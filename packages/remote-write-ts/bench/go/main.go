// Encodes and compresses the bench's batch with the code that Prometheus itself sends with: prompb and writev2 with their reused
// buffers, and golang/snappy. Reads a job from stdin and answers on stdout, both JSON; ../go.ts talks to it.
//
// It also reads bodies of this package with the same code, as a check from outside: what Prometheus would read of them.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

const (
	firstMs    = 1767225600000
	intervalMs = 15000
	pushes     = 16
)

type job struct {
	// Name and value of each label of each series, sorted by the name.
	Series [][][2]string `json:"series"`
	Help   string        `json:"help"`
	// Nanoseconds of CPU that each task shall take about; 0 runs none.
	TaskNs int64 `json:"taskNs"`
	// Bodies to be read, compressed.
	BodiesV1 [][]byte `json:"bodiesV1"`
	BodiesV2 [][]byte `json:"bodiesV2"`
}

type figure struct {
	Name string `json:"name"`
	// Nanoseconds of CPU for one sample.
	Ns    float64 `json:"ns"`
	Bytes int     `json:"bytes"`
}

type reading struct {
	Series    int     `json:"series"`
	Labels    int     `json:"labels"`
	Sum       float64 `json:"sum"`
	Timestamp int64   `json:"timestamp"`
}

type answer struct {
	Figures []figure  `json:"figures"`
	V1      []reading `json:"v1"`
	V2      []reading `json:"v2"`
}

func main() {
	var j job
	must(json.NewDecoder(os.Stdin).Decode(&j))
	var a answer
	if j.TaskNs > 0 {
		values := valueSets(len(j.Series))
		for _, t := range []struct {
			name string
			run  func(push int) int
		}{
			{"Go: marshal + snappy 1.0", v1(j, values, false)},
			{"Go: from labels, marshal + snappy 1.0", v1(j, values, true)},
			{"Go: symbolize, marshal + snappy 2.0", v2(j, values)},
		} {
			ns, bytes := measure(t.run, len(j.Series), j.TaskNs)
			a.Figures = append(a.Figures, figure{t.name, ns, bytes})
		}
	}
	for _, body := range j.BodiesV1 {
		a.V1 = append(a.V1, readV1(body))
	}
	for _, body := range j.BodiesV2 {
		a.V2 = append(a.V2, readV2(body))
	}
	must(json.NewEncoder(os.Stdout).Encode(a))
}

// As ../material.ts has them.
func valueSets(series int) [][]float64 {
	sets := make([][]float64, pushes)
	for push := range sets {
		sets[push] = make([]float64, series)
		for i := range sets[push] {
			count := float64((i*7919)%100_003 + push*(i%13))
			if i%16 == 15 {
				count *= 0.001
			}
			sets[push][i] = count
		}
	}
	return sets
}

// With fromLabels the labels of each series are brought into the request's form for every request, as a queue's shard does; without,
// the request has them from the beginning.
func v1(j job, values [][]float64, fromLabels bool) func(int) int {
	sets := labelSets(j)
	series := make([]prompb.TimeSeries, len(sets))
	for i := range series {
		series[i].Labels = prompb.FromLabels(sets[i], nil)
		series[i].Samples = make([]prompb.Sample, 1)
	}
	var plain, compressed []byte
	return func(push int) int {
		timestamp := int64(firstMs + push*intervalMs)
		for i := range series {
			if fromLabels {
				series[i].Labels = prompb.FromLabels(sets[i], series[i].Labels)
			}
			series[i].Samples[0] = prompb.Sample{Value: values[push%pushes][i], Timestamp: timestamp}
		}
		request := &prompb.WriteRequest{Timeseries: series}
		size := request.Size()
		if cap(plain) < size {
			plain = make([]byte, size)
		}
		n, err := request.MarshalToSizedBuffer(plain[:size])
		must(err)
		compressed = encode(compressed, plain[:n])
		return len(compressed)
	}
}

func v2(j job, values [][]float64) func(int) int {
	sets := labelSets(j)
	series := make([]writev2.TimeSeries, len(sets))
	for i := range series {
		series[i].Samples = make([]writev2.Sample, 1)
	}
	symbols := writev2.NewSymbolTable()
	var plain, compressed []byte
	return func(push int) int {
		timestamp := int64(firstMs + push*intervalMs)
		symbols.Reset()
		for i := range series {
			s := &series[i]
			s.Metadata.Type = writev2.Metadata_METRIC_TYPE_COUNTER
			s.Metadata.HelpRef = symbols.Symbolize(j.Help)
			s.Metadata.UnitRef = symbols.Symbolize("")
			s.LabelsRefs = symbols.SymbolizeLabels(sets[i], s.LabelsRefs)
			s.Samples[0] = writev2.Sample{Value: values[push%pushes][i], Timestamp: timestamp}
		}
		request := &writev2.Request{Symbols: symbols.Symbols(), Timeseries: series}
		data, err := request.OptimizedMarshal(plain)
		must(err)
		plain = data[:cap(data)]
		compressed = encode(compressed, data)
		return len(compressed)
	}
}

func labelSets(j job) []labels.Labels {
	sets := make([]labels.Labels, len(j.Series))
	for i, pairs := range j.Series {
		flat := make([]string, 0, 2*len(pairs))
		for _, pair := range pairs {
			flat = append(flat, pair[0], pair[1])
		}
		sets[i] = labels.FromStrings(flat...)
	}
	return sets
}

// Encode takes the whole length of its room, not only its capacity, for what it may use.
func encode(room, plain []byte) []byte {
	if most := snappy.MaxEncodedLen(len(plain)); cap(room) < most {
		room = make([]byte, most)
	}
	return snappy.Encode(room[:cap(room)], plain)
}

// CPU time of the process, all its threads, for one sample.
func measure(run func(int) int, samples int, taskNs int64) (float64, int) {
	for i := 0; i < 50; i++ {
		run(i)
	}
	bytes := run(1)
	begin := cpuNs()
	runs := 0
	for cpuNs()-begin < taskNs {
		for k := 0; k < 10; k++ {
			run(runs)
			runs++
		}
	}
	return float64(cpuNs()-begin) / float64(runs*samples), bytes
}

func cpuNs() int64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func readV1(body []byte) reading {
	plain, err := snappy.Decode(nil, body)
	must(err)
	var request prompb.WriteRequest
	must(request.Unmarshal(plain))
	var r reading
	for _, series := range request.Timeseries {
		r.Series++
		r.Labels += len(series.Labels)
		for _, sample := range series.Samples {
			r.Sum += sample.Value
			r.Timestamp = sample.Timestamp
		}
	}
	return r
}

func readV2(body []byte) reading {
	plain, err := snappy.Decode(nil, body)
	must(err)
	var request writev2.Request
	must(request.Unmarshal(plain))
	var r reading
	builder := labels.NewScratchBuilder(16)
	for _, series := range request.Timeseries {
		set, err := series.ToLabels(&builder, request.Symbols)
		must(err)
		r.Series++
		r.Labels += set.Len()
		for _, sample := range series.Samples {
			r.Sum += sample.Value
			r.Timestamp = sample.Timestamp
		}
	}
	return r
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
