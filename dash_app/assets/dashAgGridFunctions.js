// Formatters of the grid; `window.sos` is in sos.js.
const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});

functions.sosNumber = (value) => (value === null || value === undefined ? "-" : String(Number(value.toPrecision(6))));
functions.sosValue = (params) =>
  params.value === null || params.value === undefined
    ? "-"
    : `${functions.sosNumber(params.value)} ${params.data.unit}`.trim();
functions.sosScore = (params) => (params.value === null || params.value === undefined ? "-" : params.value.toFixed(3));
functions.sosAge = (since) => (since === null || since === undefined ? "-" : window.sos.age(since));
