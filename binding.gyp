{
  "targets": [
    {
      "target_name": "distilserve",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake-js",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/distilserve.node"],
          "action": ["npm", "run", "build:native"]
        }
      ]
    }
  ]
}
