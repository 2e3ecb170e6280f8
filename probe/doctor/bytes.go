package doctor

import "fmt"

// Bytes is a size that is written as people read it.
type Bytes int64

// String returns b in the unit that leaves the fewest digits: "3.6 GiB".
func (b Bytes) String() string {
	const units = "KMGTPE"
	if b < 1024 {
		return fmt.Sprintf("%d B", int64(b))
	}
	size, unit := float64(b)/1024, 0
	for size >= 1024 && unit < len(units)-1 {
		size /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", size, units[unit])
}
