"""The commands, in the order in which work goes: each is the function of that name in the module of that name."""

COMMANDS = {
    "quickstart": "Train, fit and report a small isoFLOP study on this CPU.",
    "design": "Choose the runs that tell most of a larger scale.",
    "sweep": "Make the runs of a study, watch them, gather them.",
    "fit": "Fit a scaling law to runs: verdict, coefficients, intervals.",
    "report": "Write a page on runs: what to train, how sure, why.",
    "plot": "Draw one figure for a paper: SVG, PDF or PNG.",
    "compare": "Compare law families on runs larger than they were fitted to.",
    "backtest": "Fit on the smaller budgets, predict the larger, say how wrong.",
    "predict": "Predict a loss with its interval, or the compute for one.",
    "plan": "Split a compute budget between parameters and tokens.",
    "count": "Count a network: parameters, FLOPs, memory.",
    "serve": "Show planner, studies, tables and playgrounds in the browser.",
    "laws": "List the published laws, or show one.",
    "hardware": "List accelerators: dense peaks, memory, dated prices; or one.",
}
