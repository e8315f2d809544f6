// Draws the day charts of the page. A click on a point opens the list behind it.
const TONES = ["#1f63d6", "#c02b2b", "#0b7a4b", "#8f5500"];

function draw(place) {
  const { days, series } = JSON.parse(place.dataset.chart);
  const chart = echarts.init(place, null, { renderer: "svg" });
  chart.setOption({
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    color: TONES,
    grid: { left: 8, right: 12, top: 36, bottom: 4, containLabel: true },
    legend: { top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 4 },
    tooltip: { trigger: "axis", renderMode: "richText" },
    xAxis: { type: "category", data: days, axisTick: { show: false } },
    yAxis: { type: "value", minInterval: 1, splitNumber: 4 },
    series: series.map((one) => ({
      name: one.name,
      type: one.shape,
      data: one.values,
      smooth: 0.2,
      symbolSize: 6,
      showSymbol: days.length <= 31,
      barMaxWidth: 18,
      cursor: one.urls.length ? "pointer" : "default",
    })),
  });
  chart.on("click", (event) => {
    const url = series[event.seriesIndex].urls[event.dataIndex];
    if (url) location.href = url;
  });
  new ResizeObserver(() => chart.resize()).observe(place);
}

addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-chart]").forEach(draw));
